import{d as a,e as b}from"./chunk-6DMB6T2S.js";import"./chunk-KU4LU7HF.js";import"./chunk-YMFTF2O6.js";import"./chunk-SQE76S5B.js";export{b as picture,a as zoomTools};
