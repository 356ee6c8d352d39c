import{d as a,e as b}from"./chunk-OEOJTV36.js";import"./chunk-22XVXZ5G.js";import"./chunk-G5RGDIXW.js";export{b as picture,a as zoomTools};
