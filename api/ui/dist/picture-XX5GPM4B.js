import{d as a,e as b}from"./chunk-EVAKABUZ.js";import"./chunk-Q472QVXM.js";import"./chunk-RR636VWZ.js";import"./chunk-SQE76S5B.js";export{b as picture,a as zoomTools};
