import{d as a,e as b}from"./chunk-D4X2JZYP.js";import"./chunk-HPEU356W.js";import"./chunk-NXJYK3RY.js";export{b as picture,a as zoomTools};
